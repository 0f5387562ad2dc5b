"""What a page needs before it works, found without running anything."""
