# A hardened ESP32-H2: the port's own settings for the chip, then ours.
include(boards/mpconfigboard_esp32h2_common.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/../../common/hardened.cmake)
