"""What Maildir and vdir share: durable writes, directories, roots, stamps."""
