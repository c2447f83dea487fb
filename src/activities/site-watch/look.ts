/** One thing that is looked for while a site is watched. A new one is one entry of LOOKS in watch.ts. */
import type { System } from '../../system/types.ts';
import type { Authority, GenerationRecord } from '../../vault/sites/generation.ts';
import type { HostContext } from '../host-context.ts';
import type { Run } from '../shell.ts';
import type { SiteNews } from '../site-watch-types.ts';

/** What one look starts from. */
export interface SiteSeen {
  readonly context: HostContext;
  readonly system: System;
  /** Undefined while the authority store does not answer, with why. */
  readonly authority: Authority | undefined;
  readonly why?: string;
  /** The newest generation; undefined where there is none, or it can't be read. */
  readonly newest: GenerationRecord | undefined;
}

/** Made anew for each turn, so that it may remember what it has seen; what it throws is told, and tried again. */
export type SiteLook = (seen: SiteSeen, run: Run) => Promise<readonly SiteNews[]>;
