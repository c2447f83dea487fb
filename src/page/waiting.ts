/** What waits for a person's word, with the commands that give it. Pure. */
import { shortDigest } from '../policy/approval.ts';
import { isForPeople } from '../status/running.ts';
import {
  WORKFLOWS,
  type MissingPlan,
  type PruneResult,
  type RestorePlan,
  type RowsPlan,
} from '../workflows/contract.ts';
import { belongsTo, type EngineFacts, type OperationFacts } from './facts.ts';

export interface Waiting {
  readonly operation: OperationFacts;
  /** `approval`, a decision. */
  readonly what: string;
  /** Undefined where the plan could not be asked for. */
  readonly approve?: string;
  readonly reject: string;
  readonly plan?: WaitingPlan;
}

export type WaitingPlan =
  | { readonly kind: 'restore'; readonly plan: RestorePlan }
  | { readonly kind: 'rows'; readonly plan: RowsPlan }
  | { readonly kind: 'missing'; readonly plan: MissingPlan }
  | { readonly kind: 'prune'; readonly plan: PruneResult['plan'] };

/** Of one system, oldest first. */
export function waitingFor(engine: Pick<EngineFacts, 'operations'>, system: string): Waiting[] {
  return engine.operations
    .filter((operation) => belongsTo(system, operation) && isForPeople(operation.waitingFor))
    .toSorted((a, b) => a.startedAt.localeCompare(b.startedAt))
    .map((operation) => waiting(system, operation));
}

function waiting(system: string, operation: OperationFacts): Waiting {
  const { digest, waitingFor: what = '', type, workflowId } = operation;
  // Prunes of two stores may have the same digest.
  const named = type === WORKFLOWS.prune ? ` --operation ${workflowId}` : '';
  const plan = planOf(operation);
  return {
    operation,
    what,
    ...(digest === undefined ? {} : { approve: `holdfast approve ${system} ${shortDigest(digest)}${named}` }),
    reject: `holdfast reject ${system} --why '<reason>'${named}`,
    ...(plan === undefined ? {} : { plan }),
  };
}

/** The query answers with the shape of its workflow's contract. */
function planOf({ type, plan }: OperationFacts): WaitingPlan | undefined {
  if (plan === undefined) return undefined;
  if (type === WORKFLOWS.restore) return { kind: 'restore', plan: plan as RestorePlan };
  if (type === WORKFLOWS.restoreRows) return { kind: 'rows', plan: plan as RowsPlan };
  if (type === WORKFLOWS.restoreMissing) return { kind: 'missing', plan: plan as MissingPlan };
  if (type === WORKFLOWS.prune) return { kind: 'prune', plan: plan as PruneResult['plan'] };
  return undefined;
}
