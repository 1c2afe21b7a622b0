import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import type * as z from 'zod';
import { faultsOf } from '../../../src/hub/http/body-faults.ts';
import { keyChangeSchema, newCredentialSchema, newServerSchema, rotationRequestSchema } from '../../../src/protocol/management.ts';

const told = (schema: z.ZodType, body: unknown): string => {
  const { error } = schema.safeParse(body);
  return error ? faultsOf(error) : 'none';
};

it('names the place, and what would be right there', () => {
  expect(told(newServerSchema, {})).toBe('`name` is missing, or not of the type string');
  expect(told(newServerSchema, [])).toBe('the body is missing, or not of the type object');
  expect(told(newServerSchema, { name: '', policy: 'often', grace: -1 })).toBe(
    '`name` is empty; `policy` is none of immediate, grace, multi; `grace` is less than 0',
  );
  expect(told(newServerSchema, { name: 'a', server: 'b' })).toBe('the body has what this route does not take: `server`');
  expect(told(rotationRequestSchema, { sha256: 'AB', grace: 1e12 })).toBe(
    '`grace` is more than 3153600000; `sha256` does not have the form /^[0-9a-f]{64}$/',
  );
});

it('tells what each of several forms lacks, the nearest first', () => {
  expect(told(keyChangeSchema, { enabled: true, name: 'x' })).toBe(
    'the body is none of the forms that this route takes: the body has what this route does not take: `name`; or the body has what this route does not take: `enabled`',
  );
  expect(told(newCredentialSchema, { name: 'ci', role: 'admin', make: 'rsa' })).toMatch(
    /^the body is none of the forms that this route takes: `make` is none of key-pair, api-key; or /,
  );
});

it('repeats nothing that was sent: it may be a key', () => {
  const key = randomBytes(32).toString('hex');
  for (const body of [key, { name: { key } }, { name: 'a', policy: key }, { name: 'a', [key]: 1 }, { name: 'a', sha256: `${key}0` }])
    expect(told(newServerSchema, body)).not.toContain(key);
  const faults = told(rotationRequestSchema, { standing: Array.from({ length: 9 }, () => 1) });
  expect(faults.split('; ')).toHaveLength(6);
  expect(faults).toMatch(/^`standing\.0` .*; and more$/);
});
