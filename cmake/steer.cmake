# SPDX-License-Identifier: GPL-3.0-or-later
# What every room, program and test of steerd is built with.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

add_library(steer_flags INTERFACE)
target_include_directories(steer_flags INTERFACE ${CMAKE_SOURCE_DIR}/include)
target_compile_definitions(steer_flags INTERFACE _GNU_SOURCE STEER_VERSION="${PROJECT_VERSION}")
target_compile_options(steer_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wstrict-prototypes
  -Wmissing-prototypes -Wformat=2 -Wswitch-enum -Wvla -Wwrite-strings -Wcast-qual -Wundef
  -fno-common -fstack-protector-strong)
if(STEER_WERROR)
  target_compile_options(steer_flags INTERFACE -Werror)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Release" OR CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  target_compile_options(steer_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
  target_link_options(steer_flags INTERFACE -Wl,-z,relro,-z,now)
endif()
if(STEER_SANITIZE)
  target_compile_options(steer_flags INTERFACE -fsanitize=${STEER_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(steer_flags INTERFACE -fsanitize=${STEER_SANITIZE})
  if(STEER_SANITIZE MATCHES "undefined")
    target_compile_options(steer_flags INTERFACE -fno-sanitize-recover=undefined)
  endif()
endif()
if(STEER_FUZZ)
  target_compile_options(steer_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
target_link_libraries(steer_flags INTERFACE Threads::Threads)

# steer_room(NAME LINKS lower-room... [PKGS pkg-config-module...]): the static library of one room,
# made of all of its .c files.
function(steer_room NAME)
  cmake_parse_arguments(R "" "" "LINKS;PKGS;LIBS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c)
  add_library(steer_${NAME} STATIC ${sources})
  target_link_libraries(steer_${NAME} PUBLIC steer_flags m)
  foreach(lower ${R_LINKS})
    target_link_libraries(steer_${NAME} PUBLIC steer_${lower})
  endforeach()
  foreach(pkg ${R_PKGS})
    if(NOT TARGET PkgConfig::${pkg})
      pkg_check_modules(${pkg} REQUIRED IMPORTED_TARGET GLOBAL ${pkg})
    endif()
    target_link_libraries(steer_${NAME} PUBLIC PkgConfig::${pkg})
  endforeach()
  target_link_libraries(steer_${NAME} PUBLIC ${R_LIBS})
endfunction()
