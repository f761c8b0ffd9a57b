# A hardened ESP32-C5: the port's own settings for the chip, then ours.
include(boards/mpconfigboard_esp32c5_common.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/../../common/hardened.cmake)
