/** Names of the Temporal task queues. Stable, so that work waits for its host instead of going elsewhere. */

/** Workflows, and activities that need no particular machine. */
export const ORCHESTRATION_QUEUE = 'holdfast';

/** Activities that touch a volume, a socket or a file of one machine. */
export function hostQueue(host: string): string {
  return `holdfast.host.${host}`;
}

/** Short activities of a host that must not wait behind a long capture: releases, probes. */
export function urgentHostQueue(host: string): string {
  return `holdfast.host.${host}.urgent`;
}

/** Activities of a host that run for as long as a log is received: they hold no slot that a capture waits for. */
export function walQueue(host: string): string {
  return `holdfast.host.${host}.wal`;
}

/** Activities of a host that copy between stores, for hours or days: they hold no slot that a capture waits for. */
export function copyQueue(host: string): string {
  return `holdfast.host.${host}.copy`;
}
