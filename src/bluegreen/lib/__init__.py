"""What any program could use: waiting, signals, a log, and how things are said."""
