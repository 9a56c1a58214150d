"""Where and on what it runs: device, memory, progress, project folders."""
