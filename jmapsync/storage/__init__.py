"""The two sides behind one port: observe what is there, read bodies, write what is ordered."""
