/** What operations on one component of a system, which wait for approval of a preview, say alike. */
import type { SystemFacts } from '../activities/types.ts';
import type { Answer } from './approval.ts';
import { failure } from './failure.ts';

/** Fails with BadInput and the names that there are. */
export function namedComponent(
  { components }: SystemFacts,
  system: string,
  name: string,
): SystemFacts['components'][number] {
  const component = components.find((one) => one.name === name);
  if (component !== undefined) return component;
  const known = components.map((one) => one.name).join(', ');
  throw failure('BadInput', `${system} has no component ${name}; it has ${known}.`);
}

/** How it ends when nobody approved, for its result; undefined when somebody did. */
export function notApproved(
  answer: Answer,
  { approvalLimitSeconds }: Pick<SystemFacts, 'approvalLimitSeconds'>,
): { readonly outcome: 'rejected' | 'expired'; readonly why: string } | undefined {
  if (answer.kind === 'rejected') {
    return { outcome: 'rejected', why: `${answer.by} rejected the preview: ${answer.why}` };
  }
  if (answer.kind === 'expired') {
    return { outcome: 'expired', why: `Nobody approved within ${approvalLimitSeconds} s.` };
  }
  return undefined;
}
