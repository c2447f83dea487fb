/** What a warm standby asks of each of its hosts: is it one, what is restored ahead there, and the edges of doing so. */
import type { PreparedPart } from '../policy/failover/prepared.ts';

interface Of {
  readonly system: string;
  /** Those of this host. */
  readonly components: readonly string[];
}

export interface StandbyLook {
  /** Why nothing may be restored ahead here; absent: it may. */
  readonly refused?: string;
  /** This site is the active one, or takes over. */
  readonly active: boolean;
  /** Still as it was restored ahead. */
  readonly prepared: readonly PreparedPart[];
  /** Why what was restored ahead counts no more. */
  readonly void?: string;
}

export interface PrepareBegun {
  /** Components whose live place held nothing but what was restored ahead before: it need not be kept. */
  readonly former: readonly string[];
  /** Dumps whose server is down with the stack, and is needed while they are restored. */
  readonly servers: readonly string[];
}

/** Run on the urgent queue. */
export interface StandbyActivities {
  /** Changes nothing. */
  lookStandby(input: Of): Promise<StandbyLook>;
  /**
   * From here until `endPrepare` nothing is prepared here, and no guard starts the stack. Throws NotStandby at the active
   * site, where nobody knows which that is, and where anything of the stack runs. A repeat answers the same.
   */
  beginPrepare(input: Of & { readonly restoreId: string }): Promise<PrepareBegun>;
  /**
   * Stops the containers of these names, which were started for it, and writes down what is prepared; nothing with no parts.
   * Returns why it does not count. A repeat changes nothing.
   */
  endPrepare(
    input: Of & {
      readonly restoreId: string;
      readonly parts: readonly PreparedPart[];
      readonly stop: readonly string[];
    },
  ): Promise<{ readonly void?: string }>;
  /** Whether all of these are prepared here, and the restores that have made containers for it. */
  preparedThere(input: {
    readonly system: string;
    readonly parts: readonly PreparedPart[];
  }): Promise<{ readonly made: readonly string[] } | { readonly void: string }>;
}
