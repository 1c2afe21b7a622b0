#!/bin/bash
# Runs inside the machine that bench/limits.ts boots, as a service of it, and prints to its console.
exec >/dev/ttyS0 2>&1
unit=scout-agent.service
group=/sys/fs/cgroup/system.slice/$unit
say() { printf '%s\n' "$*"; }
of() { sed -n "s/^$2 //p" "$group/$1"; }
pid() { systemctl show --value -p MainPID $unit; }
# Puts a process of its own into the group of the agent.
join() { echo $BASHPID >$group/cgroup.procs; }

say "== Linux $(uname -r), $(systemctl --version | head -n 1), emulated"
dpkg -i /packages/scout-hub_*.deb >/dev/null 2>&1
until (: </dev/tcp/127.0.0.1/8443) 2>/dev/null; do sleep 1; done
scout-hub token create --server vm-1 2>/dev/null >/root/token
dpkg -i /packages/scout-agent_*.deb >/dev/null 2>&1
scout-agent enroll --no-start https://127.0.0.1:8443 </root/token | head -n 1
# An emulated processor takes a minute for what a real one does in a second; the quota is what is looked at, and stays.
mkdir -p /run/systemd/system/$unit.d
printf '[Service]\nTimeoutStartSec=15min\nWatchdogSec=0\n' >/run/systemd/system/$unit.d/slow.conf
systemctl daemon-reload
systemctl start $unit
say "== limits in force: memory.max $(cat $group/memory.max), cpu.max $(cat $group/cpu.max), pids.max $(cat $group/pids.max)"
sleep 60
say "== a minute later: $(systemctl is-active $unit), memory.current $(cat $group/memory.current) (anonymous $(of memory.stat anon)), highest $(cat $group/memory.peak), processes and threads $(cat $group/pids.current)"
say "   reached memory.max $(of memory.events max) times, killed $(of memory.events oom_kill); throttled $(of cpu.stat nr_throttled) of $(of cpu.stat nr_periods) periods; pids.max met $(of pids.events max) times"

say '== a process of the service that never stops computing, 20 s'
(join; while :; do :; done) & burner=$!
before=$(of cpu.stat usage_usec)
sleep 20
say "   all of the service together: $((($(of cpu.stat usage_usec) - before) / 200000)) % of one processor"
kill $burner

say '== a process of the service that starts a hundred others'
(join; for _ in $(seq 100); do sleep 300 & done) 2>/dev/null & forker=$!
for _ in $(seq 120); do
  if [ "$(of pids.events max)" -gt 0 ]; then break; fi
  sleep 1
done
say "   there are $(cat $group/pids.current); pids.max met $(of pids.events max) times; the agent: $(systemctl is-active $unit)"
kill $forker
while read -r process; do
  if [ "$(cat "/proc/$process/comm")" = sleep ]; then kill "$process"; fi
done <$group/cgroup.procs

say '== a process of the service that takes memory without end'
old=$(pid)
(join; exec tail /dev/zero) & wait $!
say "   it ended with status $? (137: SIGKILL)"
until [ "$(systemctl show --value -p NRestarts $unit)" -ge 1 ] && [ "$(systemctl is-active $unit)" = active ]; do sleep 1; done
say "   the agent was process $old, and is $(pid); restarts: $(systemctl show --value -p NRestarts $unit)"
sleep 30
journalctl -u $unit --no-pager -o short-monotonic | grep -E 'oom|OOM|Failed with|Scheduled restart|Started|"msg":"(started|heartbeat accepted)' | cut -c1-150
scout-hub server show vm-1 --json | grep -A1 -E '"(accepted|gaps)"'
say '== done'
systemctl poweroff 2>/dev/null
