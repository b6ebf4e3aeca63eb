"""Notice what changes below the roots: by inotify where the kernel reports changes, by polling directories where it does not."""
