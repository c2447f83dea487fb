/** What runs services that are looked at, stopped and started each by its name. Pure. */
import type { Component } from '../system/types.ts';

export const SERVICE_KINDS: readonly Component['kind'][] = ['compose', 'systemd'];

export function runsServices({ kind }: Pick<Component, 'kind'>): boolean {
  return SERVICE_KINDS.includes(kind);
}
