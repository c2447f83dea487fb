/** The clock that leases are counted on: one for all processes of this boot. */
import { readFileSync } from 'node:fs';
import { HoldfastError } from '../failures.ts';

/**
 * Milliseconds since this machine was started, to a hundredth of a second. It runs on while the machine sleeps and no
 * setting of the time moves it: `/proc/uptime` is CLOCK_BOOTTIME (proc_uptime(5), clock_gettime(2)). Throws Internal
 * where there is none.
 */
export function bootClockMs(): number {
  const [uptime = ''] = readFileSync('/proc/uptime', 'utf8').split(' ');
  const seconds = Number.parseFloat(uptime);
  if (!Number.isFinite(seconds)) throw new HoldfastError('Internal', `/proc/uptime says ${uptime}`);
  return Math.round(seconds * 1000);
}
