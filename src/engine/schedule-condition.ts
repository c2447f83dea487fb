/**
 * Updates of schedules under a condition. The client library reads a schedule, lets it be changed and writes it, without
 * the token by which the server tells that somebody else has written in between: `conflict_token` of UpdateScheduleRequest
 * (temporal/api/workflowservice/v1/request_response.proto).
 */
import { ScheduleClient, type Client } from '@temporalio/client';

/**
 * A client of schedules whose handles write only over what they have read themselves. Measured with server 1.31: an update
 * that comes too late is answered like any other, and changes nothing. For one schedule at a time.
 */
export function unlessChanged({ connection, workflowService, options }: Client): ScheduleClient {
  let conflictToken: Uint8Array | undefined;
  const conditional: Partial<typeof workflowService> = {
    describeSchedule: (async (request: Parameters<typeof workflowService.describeSchedule>[0]) => {
      const described = await workflowService.describeSchedule(request);
      ({ conflictToken } = described);
      return described;
    }) as typeof workflowService.describeSchedule,
    updateSchedule: ((request: Parameters<typeof workflowService.updateSchedule>[0]) =>
      workflowService.updateSchedule(
        conflictToken === undefined ? request : { ...request, conflictToken },
      )) as typeof workflowService.updateSchedule,
  };
  const service = new Proxy(workflowService, {
    get: (target, name): unknown => Reflect.get(Object.hasOwn(conditional, name) ? conditional : target, name),
  });
  const seen = new Proxy(connection, {
    get: (target, name): unknown => {
      if (name === 'workflowService') return service;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
  return new ScheduleClient({ connection: seen, namespace: options.namespace });
}
