"""The edge that bluegreen runs itself: its image, its container, its changes."""
