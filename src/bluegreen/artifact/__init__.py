"""What is in an image, and what its page needs: read without running it."""
