"""Is what is served what was built?"""
