"""Scripts: imports with a literal name are found, and nothing that only looks like one."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bluegreen.artifact.needs.script import of_script

#: What Vite 6 leaves of an entry with lazy routes, abridged.
VITE = rb"""const __vite__mapDeps=(i,m=__vite__mapDeps,d=(m.f||(m.f=["assets/Home-C1.js","assets/Home-B.css"])))=>i.map(i=>d[i]);
import{d as e,r as t,c as n}from"./vendor-BwX3.js";import"./polyfill-a1.js";(function(){const o=document.createElement("link").relList;if(o&&o.supports&&o.supports("modulepreload"))return;for(const s of document.querySelectorAll('link[rel="modulepreload"]'))r(s)})();const a=/["'`/]import\("\.\/not-1\.js"\)/g,b=e/2/n,p=`x${t?`${e}import("./not-2.js")`:'import("./not-3.js")'}y`;const h=[{path:"/",component:()=>l(()=>import("./Home-C1.js"),__vite__mapDeps([0,1]))},{path:"/b",component:()=>l(()=>import("./About-D2.js").then(r=>r.A),[],import.meta.url)}];export{h as r};export*from"./more-e5.js";
//# sourceMappingURL=index.js.map"""  # noqa: E501


def test_what_vite_leaves_names_its_chunks() -> None:
    assert [tuple(named) for named in of_script(VITE)] == [
        ("import", "./vendor-BwX3.js"),
        ("import", "./polyfill-a1.js"),
        ("import()", "./Home-C1.js"),
        ("import()", "./About-D2.js"),
        ("import", "./more-e5.js"),
    ]


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ('import"./a.js"', ["./a.js"]),
        ("import'./a.js';", ["./a.js"]),
        ('import a from "./a.js"', ["./a.js"]),
        ('import * as a from "./a.js"', ["./a.js"]),
        ('import a,{b as c,default as d}from"./a.js"', ["./a.js"]),
        ('import a, * as b from\n"./a.js"', ["./a.js"]),
        ('import $ from"./a.js"', ["./a.js"]),
        ('import größe from "./a.js"', ["./a.js"]),
        ('import{}from"./a.js"', ["./a.js"]),
        ('import j from "./a.json" with { type: "json" }', ["./a.json"]),
        ('export{a as b}from"./a.js"', ["./a.js"]),
        ('export*from"./a.js"', ["./a.js"]),
        ('export * as ns from "./a.js"', ["./a.js"]),
        ("import('./a.js')", ["./a.js"]),
        ("import(`./a.js`)", ["./a.js"]),
        ('import( /* webpackChunkName: "a" */ "./a.js" )', ["./a.js"]),
        ('import("./a.js", { with: { type: "json" } })', ["./a.js"]),
        ("`${import('./a.js')}`", ["./a.js"]),
        ("`${`${{a:{}}}`}${import('./a.js')}`", ["./a.js"]),
        ("a=b/c;import('./a.js');d=e/f", ["./a.js"]),
        ("if(x)/['\"`]/.test(y);import('./a.js')", ["./a.js"]),
        ("return/[/'\"]/.exec(import('./a.js'))", ["./a.js"]),
        ("x=a++/2;import('./a.js');y='/'", ["./a.js"]),
        ("f(x)/2;import('./a.js');y='/'", ["./a.js"]),
        ("'it\\'s';import('./a.js')", ["./a.js"]),
        ("'a\\\nb';import('./a.js')", ["./a.js"]),
        ("// don't\nimport('./a.js')", ["./a.js"]),
        ("/* don't */import('./a.js')", ["./a.js"]),
    ],
)
def test_a_literal_name_is_found(source: str, named: list[str]) -> None:
    assert [one.text for one in of_script(source.encode())] == named


@pytest.mark.parametrize(
    "source",
    [
        "import(name)",
        "import(`./${name}.js`)",
        "import('./' + name)",
        "import('./a'+'.js')",
        "// import('./a.js')",
        "/* import './a.js' */",
        "\"import('./a.js')\"",
        "`import './a.js'`",
        "/import('.\\/a.js')/",
        "x.import('./a.js')",
        "x?.import('./a.js')",
        "x . import('./a.js')",
        "reimport('./a.js')",
        "$import('./a.js')",
        "#import('./a.js')",
        "importScripts('./a.js')",
        "import.meta.url",
        "import.meta.resolve('./a.js')",
        "const x={import:'./a.js'}",
        "export const from='./a.js'",
        "export default'./a.js'",
        "export{a};'./a.js'",
        "import a\n;from='./a.js'",
        "import a from b",
        "import('')",
        "import('./a\\u002ejs')",
        "import('./a.js'\n+x)",
        "import('./\x1b.js')",
        # Where the scanner loses its way, nothing is certain.
        "import('./a.js');'no end",
        "import('./a.js');`no end",
        "import('./a.js');`${ no end",
        "import('./a.js');/* no end",
        "",
        "import",
        "import(",
        "import{",
        "export",
        "export*",
    ],
)
def test_what_is_not_certain_is_not_named(source: str) -> None:
    assert of_script(source.encode()) == ()


EVIL = [
    b"import a ",
    b"import{",
    b"import(",
    b"import(/*",
    b"import(/**/",
    b"import /",
    b"export{",
    b"export * as ",
    b"export*",
    b"`${",
    b"`${{",
    b"/",
    b"/[",
    b"/a",
    b"/*",
    b")/",
    b"()/",
    b"if()/",
    b"'",
    b"'\\",
    b"\\",
    b"'\\x41\\x41'+",
    b"`\\`\\`",
    b"`$$",
    b" ",
    b"\n/ ",
    b"a ",
    b"import\n",
    b'import a from"a"',
]


@pytest.mark.parametrize("evil", EVIL)
def test_time_is_linear(evil: bytes) -> None:
    """A quarter of a megabyte of anything; its square would take minutes."""
    source = b"import 'x';" + evil * ((1 << 18) // len(evil))
    began = time.process_time()
    of_script(source)
    assert time.process_time() - began < 10


def test_a_string_of_escapes_takes_little_memory() -> None:
    source = b"import 'x';'" + b"\\x41" * (1 << 19) + b"'"
    tracemalloc.start()
    of_script(source)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 16 << 20


_PIECES = st.sampled_from(
    [
        *rb"import export from ( ) { } ' \" ` ${ / * \\ . ./a.js x // /* */ [ ] ;".split(b" "),
        *(b"\n", b" ", b"\xff"),
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.lists(_PIECES, max_size=80).map(b"".join)))
def test_no_bytes_make_it_fail(source: bytes) -> None:
    for named in of_script(source):
        assert named.text
        assert named.text.isprintable()


@settings(max_examples=200, deadline=None)
@given(st.lists(_PIECES, max_size=40).map(b"".join))
def test_a_sound_import_before_any_string_is_found_or_nothing_is(tail: bytes) -> None:
    found = of_script(b'import"./first.js";\n' + tail)
    assert not found or found[0].text == "./first.js"
