"""bluegreen: put a new build of a frontend in front of users, and prove it."""

__version__ = "0.1.0"
