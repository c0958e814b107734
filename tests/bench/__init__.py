"""`make bench`: how long things take, module by module. Ratios travel between machines, times do not."""
