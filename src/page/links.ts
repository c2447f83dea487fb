/** Addresses inside the page, and into the Temporal UI. */

export const ROUTES = {
  overview: '/',
  system: (system: string) => `/systems/${encodeURIComponent(system)}`,
  backup: (system: string, backup: string) =>
    `/systems/${encodeURIComponent(system)}/backups/${encodeURIComponent(backup)}`,
  login: '/login',
  logout: '/logout',
  health: '/healthz',
} as const;

export interface TemporalUi {
  /** Without a slash at its end; http or https. */
  readonly url: string;
  readonly namespace: string;
}

/** One run in the Temporal UI. Workflow ids hold slashes, which its router takes only when they are encoded. */
export function runUrl(ui: TemporalUi, workflowId: string, runId: string): string {
  const [namespace, workflow, run] = [ui.namespace, workflowId, runId].map(encodeURIComponent);
  return `${ui.url}/namespaces/${namespace ?? ''}/workflows/${workflow ?? ''}/${run ?? ''}/history`;
}

/** The address, without a slash at its end, where it is one that a browser may be sent to. */
export function webAddress(text: string): string | undefined {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) return undefined;
  return url.href.replace(/\/+$/, '');
}
