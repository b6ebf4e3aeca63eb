"""What tests of several packages share: drivers of a mirror, of disks and of other programs, clocks, and small helpers."""
