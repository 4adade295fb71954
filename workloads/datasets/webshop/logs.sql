-- Web access logs in Combined Log Format, one row per distinct line:
--
--   host ident user [10/Mar/2026:13:55:36 +0000] "GET /product/12 HTTP/1.1" 200 15312 "referrer" "agent"
--
-- The user and the request may hold spaces, as browsers and servers let them. A user that would begin with a hyphen and
-- a space is a field too many: Apache's `vhost_combined` begins with the server's name, and its customers would be lost.
--
-- After the agent may come what documented formats put there, which is not read: quoted texts (X-Forwarded-For in the
-- `main` format of nginx.conf, cookies), and numbers or - (bytes in and out of Apache's `combinedio`, %D and %T, nginx's
-- $request_time). Other trailing fields are declared in the last lines of the regular expression.
--
-- Runs verbatim on DuckDB and on Spark (ANSI on or off) with equal results. What keeps it portable: no backslash in a
-- literal (Spark reads it as an escape, DuckDB does not), no engine's date functions, TRY_CAST of every text (an engine
-- may compute a value also for lines that it drops, whose texts are no numbers; those that are kept have been checked
-- by a regular expression), and a regular expression that means the same to RE2 and to Java.

WITH counted AS (
    -- A line that was shipped twice is one event. Lines carry their second and their client, so equal means repeated.
    SELECT line, COUNT(*) AS copies, MIN(file) AS file
    FROM lines
    GROUP BY line
),

masked AS (
    -- Servers write a quote within a field as backslash quote. Masked (same length), every quote left ends a field.
    -- CHR(92) is the backslash. Apache writes an empty user as two quotes.
    SELECT
        line,
        copies,
        file,
        REPLACE(REPLACE(REPLACE(line, CHR(92) || CHR(92), '__'), CHR(92) || '"', '__'), ' "" [', ' -- [') AS text
    FROM counted
),

checked AS (
    -- One match decides. It names every byte it allows, so control characters and anything beyond ASCII (which servers
    -- escape) cannot pass; only the lines that fail are looked at again, for the reason.
    SELECT
        copies,
        file,
        text,
        CASE
            WHEN LENGTH(line) > 32768 THEN 'too long'
            WHEN REGEXP_EXTRACT(
                text,
                '^[!#-~]+ [!#-~]+ (-|-?[!#-,.-~][ !#-~]*|--[ !#-~]*) '
                || '[!-~](0[1-9]|[12][0-9]|3[01])/(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)/[12][0-9]{3}'
                || ':([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9] [+-](0[0-9]|1[0-4])[0-5][0-9][!-~] '
                || '"[A-Z]+ [!#-~]([ !#-~]*[!#-~])? HTTP/[0-9]([.][0-9])?" [1-5][0-9][0-9] (-|[0-9]{1,15}) '
                || '"[ !#-~]*" "[ !#-~]*"'
                || '( "[ !#-~]*"| -| [0-9]{1,15}([.][0-9]{1,9})?){0,8}$',
                0
            ) = text AND line <> '' THEN NULL
            WHEN line = '' THEN 'empty'
            WHEN REGEXP_EXTRACT(line, '[^ -~]', 0) <> '' THEN 'not ascii'
            ELSE 'malformed'
        END AS reject
    FROM masked
),

split AS (
    -- The quotes cut a good line into pieces, the spaces cut the pieces into fields. Rejected lines are NULL from here
    -- on.
    SELECT
        copies,
        file,
        reject,
        SPLIT_PART(good, '"', 1) AS client,
        SPLIT_PART(good, '"', 2) AS request,
        SPLIT_PART(good, '"', 3) AS response,
        SPLIT_PART(good, '"', 4) AS referrer,
        SPLIT_PART(good, '"', 6) AS agent
    FROM (SELECT copies, file, reject, CASE WHEN reject IS NULL THEN text END AS good FROM checked) AS known
),

ends AS (
    -- What has a fixed length is cut off from the end, because what stands before it may hold spaces.
    SELECT
        *,
        SPLIT_PART(client, ' ', 1) AS host,
        LENGTH(SPLIT_PART(client, ' ', 1)) + LENGTH(SPLIT_PART(client, ' ', 2)) + 3 AS user_at,
        LENGTH(client) - 28 AS clock_at,  -- of [10/Mar/2026:13:55:36 +0000] and a space
        SPLIT_PART(request, ' ', 1) AS method,
        LENGTH(SPLIT_PART(request, ' ', 1)) + 2 AS path_at,
        LENGTH(request) - CASE WHEN SUBSTR(request, LENGTH(request) - 1, 1) = '.' THEN 9 ELSE 7 END AS path_end
    FROM split
),

fields AS (
    SELECT
        copies,
        file,
        reject,
        host,
        SUBSTR(client, user_at, clock_at - user_at - 1) AS user_name,
        SUBSTR(client, clock_at, 21) AS clock,     -- [10/Mar/2026:13:55:36
        SUBSTR(client, clock_at + 22, 6) AS zone,  -- +0000]
        method,
        SUBSTR(request, path_at, path_end - path_at + 1) AS path,
        SPLIT_PART(response, ' ', 2) AS status,
        SPLIT_PART(response, ' ', 3) AS bytes,
        referrer,
        agent
    FROM ends
),

numbers AS (
    -- Years are counted from March, so that the leap day is the last day of its year.
    SELECT
        *,
        TRY_CAST(SUBSTR(clock, 2, 2) AS BIGINT) AS day_of_month,
        CAST(FLOOR((INSTR('JanFebMarAprMayJunJulAugSepOctNovDec', SUBSTR(clock, 5, 3)) + 2) / 3) AS BIGINT) AS month,
        TRY_CAST(SUBSTR(clock, 9, 4) AS BIGINT)
            - CASE WHEN SUBSTR(clock, 5, 3) IN ('Jan', 'Feb') THEN 1 ELSE 0 END AS march_year,
        TRY_CAST(SUBSTR(clock, 14, 2) AS BIGINT) * 3600
            + TRY_CAST(SUBSTR(clock, 17, 2) AS BIGINT) * 60
            + TRY_CAST(SUBSTR(clock, 20, 2) AS BIGINT) AS second_of_day,
        (TRY_CAST(SUBSTR(zone, 2, 2) AS BIGINT) * 3600 + TRY_CAST(SUBSTR(zone, 4, 2) AS BIGINT) * 60)
            * CASE WHEN SUBSTR(zone, 1, 1) = '-' THEN -1 ELSE 1 END AS east_of_utc
    FROM fields
),

days AS (
    -- Days since 1970-01-01 of the proleptic Gregorian calendar; 719469 makes 1 January 1970 day 0.
    SELECT
        *,
        march_year * 365
            + CAST(FLOOR(march_year / 4) AS BIGINT)
            - CAST(FLOOR(march_year / 100) AS BIGINT)
            + CAST(FLOOR(march_year / 400) AS BIGINT)
            + CAST(FLOOR((153 * MOD(month + 9, 12) + 2) / 5) AS BIGINT)
            + day_of_month
            - 719469 AS day_number,
        CASE
            WHEN month IN (4, 6, 9, 11) THEN 30
            WHEN month <> 2 THEN 31
            -- The leap day belongs to the March year before it.
            WHEN MOD(march_year + 1, 4) = 0 AND (MOD(march_year + 1, 100) <> 0 OR MOD(march_year + 1, 400) = 0) THEN 29
            ELSE 28
        END AS days_in_month
    FROM numbers
)

SELECT
    day_number * 86400 + second_of_day - east_of_utc AS logged_at,  -- epoch seconds
    host,
    -- The shop logs the customer number as the user; - is somebody who did not log in.
    CASE
        WHEN REGEXP_EXTRACT(user_name, '^[0-9]{1,18}$', 0) <> '' THEN TRY_CAST(user_name AS BIGINT)
    END AS customer_id,
    method,
    path,
    TRY_CAST(status AS BIGINT) AS status,
    CASE WHEN bytes = '-' THEN CAST(0 AS BIGINT) ELSE TRY_CAST(bytes AS BIGINT) END AS bytes,
    referrer,
    agent,
    CASE
        WHEN reject IS NOT NULL THEN reject
        -- No regular expression without backslashes can name a bracket for both engines.
        WHEN SUBSTR(clock, 1, 1) <> '[' OR SUBSTR(zone, 6, 1) <> ']' THEN 'malformed'
        WHEN day_of_month > days_in_month THEN 'impossible date'
    END AS reject,
    copies,
    file
FROM days
