CREATE TABLE "Person" (
    "id" SERIAL NOT NULL,
    "name" TEXT NOT NULL,
    "tags" TEXT[],
    "data" JSONB,
    "madeAt" TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT "Person_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "Account" (
    "id" INTEGER NOT NULL,
    "balance" INTEGER NOT NULL CHECK ("balance" >= 0),
    CONSTRAINT "Account_pkey" PRIMARY KEY ("id")
);
