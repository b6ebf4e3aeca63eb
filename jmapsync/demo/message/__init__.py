"""Read and build Internet messages as RFC 8621 has them: header fields in their parsed forms, the tree of body parts."""
