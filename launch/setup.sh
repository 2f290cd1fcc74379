#!/usr/bin/env bash
# Creates .venv with the locked packages and this project (editable), and installs the system libraries for headless
# rendering. VASERL_EXTRA: cpu (default) or gpu. PYTHON: the interpreter (3.11 or 3.12).
set -euo pipefail
cd "$(dirname "$0")/.."
extra=${VASERL_EXTRA:-cpu}
python=${PYTHON:-python3}
lock=launch/requirements

"$python" - <<'PY' || exit 2
import sys
if not (3, 11) <= sys.version_info[:2] < (3, 13):
    sys.exit(f"vaserl needs Python 3.11 or 3.12; {sys.executable} is {sys.version.split()[0]}. Set PYTHON=/path/to/python3.11")
PY

[ -x .venv/bin/python ] || "$python" -m venv .venv
pip=".venv/bin/python -m pip --disable-pip-version-check -q"

# The lock is complete, so pip resolves nothing. --no-deps also leaves out torchaudio and torchcodec, whose published
# wheels need CUDA and break transformers beside a CPU build of torch.
echo "setup: installing $(grep -c '==' $lock/$extra.txt) locked packages ($extra)"
$pip install --no-deps -r "$lock/$extra.txt"
$pip install --no-deps -r "$lock/dev.txt"
$pip install --no-deps --no-build-isolation -e .

site=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
cp launch/torchvision_hook.py "$site/_vaserl_torchvision_hook.py"
echo "import _vaserl_torchvision_hook" > "$site/_vaserl_torchvision_hook.pth"

.venv/bin/python -c 'import torch, torchvision, transformers' || {
    echo "setup: torch, torchvision or transformers can't be imported, see above. If a CUDA library is missing, pip" >&2
    echo "       installed a CUDA build of torch: remove .venv and point pip at PyTorch's CPU wheels" >&2
    echo "       (PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS), then run this again" >&2
    exit 1
}

# Off-screen OpenGL: pyrender renders through EGL, its imports load the other libraries, and Mesa renders without a GPU.
packages="libegl1 libgl1 libgl1-mesa-dri libgles2 libglu1-mesa libx11-6"
renders() { .venv/bin/python -c 'from vaserl.meshes.turntable import TurntableRenderer; TurntableRenderer(16).close()'; }
if ! renders > /dev/null 2>&1; then
    if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
        echo "setup: installing $packages"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages > /dev/null
    fi
    renders || {
        echo "setup: off-screen rendering fails, see above. Install these system packages as root, then run this again:" >&2
        echo "       apt-get install $packages   (or your distribution's EGL, GLU and Mesa)" >&2
        exit 2
    }
fi
echo "setup: done, python $(.venv/bin/python -V | cut -d' ' -f2), torch $(.venv/bin/python -c 'import torch; print(torch.__version__)')"
