// A hardened ESP32-P4: what it is called; what is closed stands in hardened.h.
#define MICROPY_HW_BOARD_NAME "Troth hardened ESP32-P4"
#define MICROPY_HW_MCU_NAME "ESP32P4"

#include "../../common/hardened.h"
