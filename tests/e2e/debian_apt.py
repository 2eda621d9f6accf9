# SPDX-License-Identifier: Apache-2.0
"""Steps that install packages of Debian: as everybody writes them, through the way to the packages that the
host's own apt has, which a build gets as its proxy arguments (they are no part of the image or of the cache's keys).
"""
import os

PROXIES = [name for name in ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
           if name in os.environ]
# As Debian's own images for containers have it: a layer that is not finished is thrown away as a whole.
FAST = "echo force-unsafe-io >/etc/dpkg/dpkg.cfg.d/speed"


def apt_install(*packages):
    """The RUN line that installs PACKAGES and leaves no lists behind."""
    return ("RUN %s && apt-get -q update && DEBIAN_FRONTEND=noninteractive \\\n"
            "    apt-get -qy install --no-install-recommends %s && \\\n"
            "    rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/*\n" % (FAST, " ".join(packages)))


def proxy_arguments():
    """Options of `build`."""
    return [word for name in PROXIES for word in ("--build-arg", "%s=%s" % (name, os.environ[name]))]
