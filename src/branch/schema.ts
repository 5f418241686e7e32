import { z } from "@hono/zod-openapi";
import { Label, optional } from "../core/schema.ts";
import { Moment } from "../restore/schema.ts";

const secondsMin = 60;
const secondsMax = 30 * 86_400;
const secondsProblem = `must be a whole number of seconds from ${secondsMin} to ${secondsMax}`;

/** Body of `branches.create`. */
export const CreateBranch = z
  .strictObject({
    name: optional(Label).openapi({ description: "One of ours when nothing is said" }),
    environment: optional(Label).openapi({ description: "That of its source by default" }),
    at: optional(Moment).openapi({
      description: "A moment of the recovery window; now by default",
    }),
    expires_in: optional(
      z.int(secondsProblem).min(secondsMin, secondsProblem).max(secondsMax, secondsProblem),
    ).openapi({ description: "Seconds after which it is deleted; a week when nothing is said" }),
  })
  .openapi("CreateBranch", { example: { name: "migration-42", expires_in: 86_400 } });
