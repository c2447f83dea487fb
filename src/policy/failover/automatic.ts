/** When a site that may take over by itself tries, and tries again. Pure. */

/** One silent look may be a lost packet, and a failover that assesses costs more than a look. */
export const SILENT_LOOKS = 2;

const FIRST_PAUSE_SECONDS = 60;
const LONGEST_PAUSE_SECONDS = 3600;

/** Before the next try, after so many in a row that took nothing over: what refused them is not mended by asking. */
export function pauseAfterSeconds(inVain: number): number {
  return inVain < 1 ? 0 : Math.min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (inVain - 1));
}
