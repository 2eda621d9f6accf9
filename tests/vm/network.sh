#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Networks on what this host's kernel may lack: ipvlan, VLANs, dummy links.
# Job for run-vm.sh; its status is 1 when a test failed, or when one was left out.
#
#	run-vm.sh -b BUILD -m "bridge veth ... dummy" tests/vm/network.sh
#
# modules: bridge veth nf_tables nft_chain_nat nft_masq nft_ct nft_fib_inet macvlan ipvlan 8021q dummy
mount -t tmpfs tmpfs /var/tmp || exit 1 # an overlay cannot lie on the machine's own
export TARE="$TARE_BUILD/tare"
out=$(/usr/bin/python3 -m pytest -q -p no:cacheprovider tests/e2e/test_network_parents.py 2>&1)
status=$?
printf '%s\n' "$out" | sed 's/^/# /'
case $out in
*skipped*) status=1 ;;
esac
if [ $status = 0 ]; then echo "ok networks with parents"; else echo "not ok networks with parents"; fi
exit $status
