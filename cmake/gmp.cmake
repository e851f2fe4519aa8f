# Defines the target exactnet::gmp and, unless the system's GMP was asked for, EXACTNET_BUNDLED_GMP:
# the shared library to install beside the extension.
#
# A fresh machine has no GMP header; the gmpy2 wheel, which the package needs anyway, ships gmp.h and
# a shared libgmp. The library is linked by its exact path: -lgmp would silently take a system one.
# sets EXACTNET_GMPY2_DIR, the folder with gmpy2.h, in either case.

option(EXACTNET_SYSTEM_GMP "Use the system's GMP instead of the one in the gmpy2 wheel" OFF)

execute_process(
  COMMAND "${Python_EXECUTABLE}" -c
          "import importlib.util, pathlib; \
print(pathlib.Path(importlib.util.find_spec('gmpy2').origin).parent.as_posix())"
  OUTPUT_VARIABLE EXACTNET_GMPY2_DIR
  OUTPUT_STRIP_TRAILING_WHITESPACE
  RESULT_VARIABLE _status
  ERROR_QUIET)
if(NOT _status EQUAL 0)
  message(FATAL_ERROR "gmpy2 is not installed for ${Python_EXECUTABLE}: pip install gmpy2")
endif()

add_library(exactnet_gmp INTERFACE)
add_library(exactnet::gmp ALIAS exactnet_gmp)

if(EXACTNET_SYSTEM_GMP)
  find_path(GMP_INCLUDE_DIR gmp.h REQUIRED)
  find_library(GMP_LIBRARY gmp REQUIRED)
  target_include_directories(exactnet_gmp SYSTEM INTERFACE "${GMP_INCLUDE_DIR}")
  target_link_libraries(exactnet_gmp INTERFACE "${GMP_LIBRARY}")
  message(STATUS "GMP: the system's, ${GMP_LIBRARY}")
else()
  # Linux wheels keep their libraries in gmpy2.libs, macOS ones in gmpy2/.dylibs.
  file(GLOB _libraries "${EXACTNET_GMPY2_DIR}/../gmpy2.libs/libgmp[-.]*.so*"
       "${EXACTNET_GMPY2_DIR}/.dylibs/libgmp[-.]*.dylib")
  list(LENGTH _libraries _count)
  if(NOT _count EQUAL 1 OR NOT EXISTS "${EXACTNET_GMPY2_DIR}/gmp.h")
    message(
      FATAL_ERROR
        "No gmp.h and single libgmp in the gmpy2 of ${EXACTNET_GMPY2_DIR} (was gmpy2 built from "
        "source?). Install GMP for development and configure with -DEXACTNET_SYSTEM_GMP=ON, or "
        "pip install . -C cmake.define.EXACTNET_SYSTEM_GMP=ON")
  endif()
  file(REAL_PATH "${_libraries}" EXACTNET_BUNDLED_GMP)
  # gmp.h alone, so that nothing else of the wheel is in reach by accident
  configure_file("${EXACTNET_GMPY2_DIR}/gmp.h" "${CMAKE_BINARY_DIR}/gmp/gmp.h" COPYONLY)
  target_include_directories(exactnet_gmp SYSTEM INTERFACE "${CMAKE_BINARY_DIR}/gmp")
  target_link_libraries(exactnet_gmp INTERFACE "${EXACTNET_BUNDLED_GMP}")
  message(STATUS "GMP: gmpy2's, ${EXACTNET_BUNDLED_GMP}")
endif()
