// A hardened ESP32-C3: what it is called; what is closed stands in hardened.h.
#define MICROPY_HW_BOARD_NAME "Troth hardened ESP32-C3"
#define MICROPY_HW_MCU_NAME "ESP32C3"

#include "../../common/hardened.h"
