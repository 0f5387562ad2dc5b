"""The verbs, one file each; `deploy` is what release and rollback share."""
