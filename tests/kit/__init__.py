"""What the engine tests are made of: base images, projects, loads, and a host of their own.

    images    base images from scratch, made once a machine; no registry
    projects  a frontend's folder, whole or broken on purpose
    server    the server inside `bluegreen-test/server`: streams, websockets, misbehaviour
    loads     clients that never retry and count exactly what was lost; likewise wrk, http2
    streams   a download, an event stream and a websocket that run across a switch
    world     a host: an edge of its own, its sites, and the removal of all it made
    turns     a live site and an image of each of two versions; `whole`: what must hold of it
    halting   the command, standing still at one place; likewise killing, impatient, clocks
    disks     a disk that can be full or read-only; likewise engines, small_engine, registry
    machine   the engine's daemon: stopped, started, lost with the power
    crowd     users who forgive an outage, and nothing after it

`tests/engine/test_kit_*.py` prove that each client sees the loss that it is there to see.
"""
