/** The clock that leases are counted on. */
export { bootClockMs } from '../docker/boot-clock.ts';
