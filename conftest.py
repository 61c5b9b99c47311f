"""Settings and limits for all tests: the kernels that nbval starts inherit the environment set here."""

import os

os.environ["TQDM_DISABLE"] = "1"  # nbval would compare a progress bar; set before torch imports tqdm
os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # else a kernel may warn on stderr about frozen modules
