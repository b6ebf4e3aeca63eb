"""Notice what changes below the roots: by inotify where the kernel tells, by looking at the directories where it does not."""
