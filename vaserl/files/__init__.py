"""Files of one kind each: clips, photographs, GLBs, remote storage, atomic writes, locks."""
