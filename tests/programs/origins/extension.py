"""extension FILE: calls the function of extension.c, which was built as FILE."""

import importlib.util
import sys

specification = importlib.util.spec_from_file_location("extension", sys.argv[1])
module = importlib.util.module_from_spec(specification)
for _ in range(3):
    module.take()
