"""Watch the root folders for changes: by inotify(7), or by polling directories where the kernel reports no changes."""
