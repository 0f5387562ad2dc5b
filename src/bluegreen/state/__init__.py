"""What is kept on the host: the state folder, durable files, locks and the ledger."""
