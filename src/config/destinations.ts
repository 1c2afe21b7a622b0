import { checkKey } from '../credentials/key.ts';
import { problem } from '../support/errors.ts';
import { checkEndpoint } from './endpoint.ts';
import { type Context, open } from './keys.ts';
import { findEntry, placeOf } from './tree.ts';
import type { Parsed } from './validate.ts';

/** The further destinations with their keys opened: addresses and keys well-formed, no name twice. */
export function checkDestinations(context: Context, destinations: Parsed['destinations']): Parsed['destinations'] {
  const seen = new Map<string, number>();
  return destinations.map((destination, index) => {
    const label = (field: string) => `destinations[${index}].${field}`;
    const place = (field: string) =>
      placeOf((findEntry(context.root, ['destinations', index, field]) ?? findEntry(context.root, ['destinations', index]))?.value.at);
    const first = seen.get(destination.name);
    if (first !== undefined)
      context.problems.push(problem('CONFIG_DUPLICATE', { name: label('name'), other: `destinations[${first}].name` }, place('name')));
    else seen.set(destination.name, index);

    const checked = { ...destination };
    const endpoint = checkEndpoint(label('endpoint'), destination.endpoint, place('endpoint'));
    context.problems.push(...endpoint.problems);
    if (endpoint.value !== undefined) checked.endpoint = endpoint.value;
    if (destination.key !== undefined) {
      const key = open(context, label('key'), destination.key, label('key'), place('key'));
      if (key !== undefined) {
        context.problems.push(...checkKey(label('key'), key, 'token', place('key')));
        checked.key = key;
      }
    }
    checked.auth = destination.auth ?? (destination.type === 'scout' ? 'api-key' : 'none');
    const sent = checked.auth !== 'none';
    if (sent && destination.key === undefined) {
      const because = destination.auth ? `${label('auth')} is ${destination.auth}` : `${label('type')} is ${destination.type}`;
      context.problems.push(problem('CONFIG_REQUIRED', { name: label('key'), because, how: '' }, place('auth')));
    } else if (!sent && destination.key !== undefined && !context.unfit.has(`destinations.${index}.auth`)) {
      const params = { name: label('auth'), because: `${label('key')} is`, how: ' to api-key or bearer: how the key is sent' };
      context.problems.push(problem('CONFIG_REQUIRED', params, place('key')));
    }
    return checked;
  });
}
