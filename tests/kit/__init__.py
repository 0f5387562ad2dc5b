"""What the tests are made of.

    site/     a host with an edge of its own, its sites, the command in them, and their projects
    load/     clients that never retry and count exactly what was lost
    faults/   every act that reaches outside, and what may befall it: on fakes and on real processes
    engine/   engines that go away, are slow, are full; a registry; an edge driven in this process
    fakes/    an engine and a Caddy in memory, and a world that is made of them
    corpus    builds that look healthy and are not; likewise cdn
    house     the house, counted
    output    what a test leaves for people

`tests/engine/test_kit_*.py` prove that each client sees the loss that it is there to see.
"""
