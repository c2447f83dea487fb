/** What a planned change of sites asks of both: of the one that stops, and of the one that asks it to. */
import type { HandoverOutcome, HandoverSeen } from '../policy/failover/handover.ts';

/** Which request: the generation that is to be raised, and the attempt. */
export interface HandoverOf {
  readonly system: string;
  readonly n: number;
  readonly attempt: number;
}

/** Made while nothing of the stack ran. */
export interface LastBackupMade {
  readonly plan: string;
  readonly backup: string;
  readonly pointAt: string;
}

export interface HandoverAnswered {
  readonly outcome: HandoverOutcome;
  readonly why?: string;
  readonly backups?: readonly LastBackupMade[];
  /** How long the stack was down when it was answered. */
  readonly downSeconds?: number;
  readonly waitsSeconds?: number;
}

/** One reading of the authority store. */
export interface HandoverTold extends HandoverSeen {
  readonly request?: HandoverSeen['request'] & {
    readonly by?: string;
    readonly digest?: string;
    readonly backAfterSeconds?: number;
    /** Whoever asked has given up long ago. */
    readonly stale: boolean;
  };
  readonly answer?: HandoverAnswered;
}

/** Run on the urgent queue. */
export interface HandoverActivities {
  lookHandover(input: { readonly system: string; readonly n: number }): Promise<HandoverTold>;
  /** Of this site, or of the one that asked, for a withdrawal. What stands there first counts, and is returned. */
  answerHandover(input: HandoverOf & HandoverAnswered): Promise<HandoverAnswered>;
}
