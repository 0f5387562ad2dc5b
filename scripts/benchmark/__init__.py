"""What bluegreen costs beside the floor and its peers; `scripts/bench` sets it up and runs it."""
