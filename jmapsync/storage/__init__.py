"""The two sides behind one port: look at what is there, read bodies, carry out orders."""
