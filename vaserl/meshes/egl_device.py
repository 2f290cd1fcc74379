"""Which graphics card draws: the one that this process computes on.

EGL lists all cards of a machine, whatever CUDA_VISIBLE_DEVICES says, and pyrender takes the first one that EGL lists
unless EGL_DEVICE_ID names another. Without a choice every worker of a node with eight cards would draw on one of them.
"""

import ctypes
from collections.abc import Sequence

_EGL_CUDA_DEVICE_NV = 0x323A  # extension EGL_NV_device_cuda: counted among the devices that CUDA lets the process see
_MAX_DEVICES = 64


def card_of_this_process() -> int:
    """Index in EGL's list of the first card that CUDA lets this process see; 0 where it sees none, or where EGL can't
    say."""
    return chosen(cuda_ordinals())


def chosen(ordinals: Sequence[int | None]) -> int:
    """Index of the lowest ordinal; 0 if there is none."""
    seen = [(ordinal, index) for index, ordinal in enumerate(ordinals) if ordinal is not None]
    return min(seen)[1] if seen else 0


def cuda_ordinals() -> list[int | None]:
    """For each of EGL's devices its number among those that CUDA lets this process see, or None."""
    try:
        egl = ctypes.CDLL("libEGL.so.1")
    except OSError:
        return []
    egl.eglGetProcAddress.restype = ctypes.c_void_p
    egl.eglGetProcAddress.argtypes = [ctypes.c_char_p]
    list_devices = egl.eglGetProcAddress(b"eglQueryDevicesEXT")
    ask_device = egl.eglGetProcAddress(b"eglQueryDeviceAttribEXT")
    if not list_devices or not ask_device:
        return []
    # EGLBoolean (EGLint, EGLDeviceEXT *, EGLint *) and EGLBoolean (EGLDeviceEXT, EGLint, EGLAttrib *)
    list_devices = ctypes.CFUNCTYPE(ctypes.c_uint, ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p)(list_devices)
    ask_device = ctypes.CFUNCTYPE(ctypes.c_uint, ctypes.c_void_p, ctypes.c_int32, ctypes.c_void_p)(ask_device)
    devices, number, value = (ctypes.c_void_p * _MAX_DEVICES)(), ctypes.c_int32(), ctypes.c_ssize_t()
    if not list_devices(_MAX_DEVICES, devices, ctypes.byref(number)):
        return []
    return [
        value.value if ask_device(device, _EGL_CUDA_DEVICE_NV, ctypes.byref(value)) else None
        for device in devices[: number.value]
    ]
