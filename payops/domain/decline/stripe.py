"""Stripe's decline codes, outcome reasons (Radar's blocks included) and failure codes of a charge."""

from __future__ import annotations

from .vocabulary import Decline, block

CODES = "docs.stripe.com/declines/codes"
RADAR = "docs.stripe.com/declines: blocked payments; docs.stripe.com/api/charges/object: outcome.reason"
ERRORS = "docs.stripe.com/error-codes"
NEVER = "docs.stripe.com/billing/revenue-recovery/smart-retries: codes that are not retried"
STRICTER = f"{CODES}; weak on retries, so the stricter answer"
SEEN = "seen in merchants' public code, not on Stripe's pages: weak, so the stricter answer"

DECLINES: tuple[Decline, ...] = (
    *block(
        "stripe",
        "soft",
        "same_card_later",
        f"{CODES}; retryable by third-party reading of it",
        {
            "insufficient_funds": "The card has too little money or credit left.",
            "card_velocity_exceeded": "The card has reached its limit of payments or credit for now.",
            "withdrawal_count_limit_exceeded": "The card has reached its limit for now.",
            "try_again_later": "The issuer refused for now without saying why.",
        },
    ),
    *block(
        "stripe",
        "soft",
        "same_card_later",
        f"{CODES}; weak: the issuer hides its reason, a retry seldom passes",
        {
            "do_not_honor": "The issuer refused without saying why.",
            "generic_decline": "The issuer refused without saying why, or Stripe hides the reason.",
            "approve_with_id": "The issuer could not approve the payment this time.",
        },
    ),
    *block(
        "stripe",
        "soft",
        "after_customer_acts",
        STRICTER,
        {
            "card_declined": "The card was refused and no closer reason was given.",
            "no_action_taken": "The issuer took no decision and gave no reason.",
        },
    ),
    *block(
        "stripe",
        "soft",
        "after_customer_acts",
        SEEN,
        {
            "payment_intent_generic_payment_failed": "The payment was refused and no closer reason was given.",
            "partner_insufficient_funds": "The bank behind the payment method found too little money.",
        },
    ),
    *block(
        "stripe",
        "network",
        "same_card_later",
        CODES,
        {
            "processing_error": "Something failed while the payment was being processed.",
            "issuer_not_available": "The issuer could not be reached.",
            "reenter_transaction": "The issuer could not process the payment and asks for it again.",
        },
    ),
    *block(
        "stripe",
        "network",
        "never",
        f"{ERRORS}; weak on retries, so the stricter answer",
        {
            "payment_method_provider_timeout": "The company behind the payment method did not answer in time.",
            "payment_method_not_available": "The company behind the payment method is not available.",
            "payment_intent_payment_attempt_failed": "The attempt failed and no closer reason was given.",
            "three_d_secure_authentication_upstream_error": "The customer's authentication failed on its way "
            "to the issuer.",
        },
    ),
    *block(
        "stripe",
        "do_not_retry",
        "never",
        NEVER,
        {
            "lost_card": "The card is reported lost.",
            "stolen_card": "The card is reported stolen.",
            "pickup_card": "The issuer wants the card kept: it may be lost or stolen.",
            "revocation_of_authorization": "The customer has withdrawn consent to this payment.",
            "revocation_of_all_authorizations": "The customer has withdrawn consent to all our payments.",
            "transaction_not_allowed": "The issuer does not allow this payment on this card.",
        },
    ),
    *block(
        "stripe",
        "do_not_retry",
        "never",
        STRICTER,
        {
            "fraudulent": "The payment is suspected of fraud.",
            "stop_payment_order": "The customer has told the issuer to stop this payment.",
            "restricted_card": "The issuer restricts this card: it may be lost or stolen.",
            "security_violation": "The issuer refused for a security reason.",
            "do_not_try_again": "The issuer refused and does not want to be asked again.",
            "not_permitted": "The issuer does not permit this payment.",
            "service_not_allowed": "The issuer does not allow this kind of payment.",
            "previously_declined_do_not_retry": "Stripe stopped a repeat of a payment the issuer refused for "
            "good.",
            "card_decline_rate_limit_exceeded": "This card was declined too often in a short time.",
        },
    ),
    *block(
        "stripe",
        "hard",
        "never",
        STRICTER,
        {
            "expired_card": "The card has expired.",
            "invalid_account": "The card or its account is not valid.",
            "new_account_information_available": "The issuer has replaced this card or account.",
            "card_not_supported": "The card cannot pay for this kind of purchase.",
            "currency_not_supported": "The card cannot pay in this currency.",
        },
    ),
    *block(
        "stripe",
        "hard",
        "never",
        ERRORS,
        {
            "expired_payment_method": "The payment method has expired.",
            "account_closed": "The customer's bank account is closed.",
            "account_invalid": "The customer's bank account is not valid.",
            "account_number_invalid": "The bank account number is not valid.",
            "account_information_mismatch": "The bank account does not belong to the name given.",
            "no_account": "The customer's bank account was not found.",
            "routing_number_invalid": "The bank's routing number is not valid.",
            "bank_account_declined": "The customer's bank account cannot be charged.",
            "bank_account_restricted": "The customer's bank account is restricted.",
            "bank_account_unusable": "The customer's bank account cannot be used.",
            "sepa_unsupported_account": "The customer's bank account does not take this kind of debit.",
            "payment_method_bank_account_blocked": "The customer's bank account is blocked.",
            "payment_method_restricted": "The payment method is restricted.",
            "invalid_card_type": "This type of card cannot be used here.",
        },
    ),
    *block(
        "stripe",
        "do_not_retry",
        "never",
        ERRORS,
        {
            "debit_not_authorized": "The customer says this debit was not authorized.",
            "india_recurring_payment_mandate_canceled": "The customer has cancelled the agreement to pay.",
            "payment_intent_mandate_invalid": "The customer's agreement to be debited is not valid.",
            "billing_invalid_mandate": "The customer's agreement to be debited is not valid.",
        },
    ),
    *block(
        "stripe",
        "needs_customer",
        "never",
        NEVER,
        {
            "authentication_required": "The issuer wants the customer to authenticate the payment.",
            "incorrect_number": "The card number is wrong.",
        },
    ),
    *block(
        "stripe",
        "needs_customer",
        "after_customer_acts",
        CODES,
        {
            "authentication_not_handled": "The authentication the issuer asked for did not take place.",
            "mobile_device_authentication_required": "The customer must tap the phone again to authenticate.",
            "call_issuer": "The issuer refused and wants its customer to call.",
            "incorrect_cvc": "The security code of the card is wrong.",
            "invalid_cvc": "The security code of the card is wrong.",
            "incorrect_address": "The billing address is not the one the issuer knows.",
            "incorrect_zip": "The postal code is not the one the issuer knows.",
            "invalid_expiry_month": "The expiry month is wrong.",
            "invalid_expiry_year": "The expiry year is wrong.",
            "invalid_number": "The card number is not a valid one.",
            "incorrect_pin": "The PIN is wrong.",
            "invalid_pin": "The PIN is wrong.",
            "pin_try_exceeded": "A wrong PIN was entered too often.",
            "offline_pin_required": "The customer must insert the card and enter the PIN.",
            "online_or_offline_pin_required": "The customer must insert the card or enter the PIN.",
        },
    ),
    *block(
        "stripe",
        "needs_customer",
        "after_customer_acts",
        ERRORS,
        {
            "incorrect_postal_code": "The postal code is not the one the issuer knows.",
            "authentication_failure": "The customer's authentication failed.",
            "payment_intent_authentication_failure": "The customer's authentication failed.",
            "payment_intent_action_required": "The customer must authenticate the payment.",
            "invoice_payment_intent_requires_action": "The customer must authenticate the payment.",
            "payment_intent_payment_attempt_expired": "The customer did not finish the payment in time.",
            "payment_method_customer_decline": "The customer cancelled the payment.",
            "payment_method_provider_decline": "The company behind the payment method refused.",
            "payment_method_unactivated": "The customer has not activated the payment method.",
            "refer_to_customer": "The customer's bank refused and refers to the customer.",
            "bank_account_unverified": "The customer has not verified the bank account.",
        },
    ),
    *block(
        "stripe",
        "needs_customer",
        "after_customer_acts",
        SEEN,
        {
            "link_connection_closed": "The customer has closed the connection behind the wallet.",
            "cashapp_payment_declined": "The wallet refused the payment.",
        },
    ),
    *block(
        "stripe",
        "merchant_rule",
        "never",
        f"{RADAR}; {NEVER}",
        {"highest_risk_level": "Radar stopped the payment: it looks like fraud."},
    ),
    *block(
        "stripe",
        "merchant_rule",
        "never",
        RADAR,
        {
            "rule": "One of our Radar rules stopped the payment.",
            "elevated_risk_level": "Radar set the payment aside: its risk is raised.",
            "low_probability_of_authorization": "Stripe did not send the payment: the issuer would most likely "
            "refuse.",
            "merchant_blacklist": "The payment matches an entry of our block list.",
        },
    ),
    *block(
        "stripe",
        "merchant_rule",
        "never",
        SEEN,
        {
            "blocked": "The payment was stopped before it reached the issuer.",
            "blocklist": "The payment matches an entry of our block list.",
            "requested_block": "One of our Radar rules stopped the payment.",
            "requested_block_on_incorrect_cvc": "Our Radar rule on wrong security codes stopped the payment.",
            "requested_block_on_incorrect_zip": "Our Radar rule on wrong postal codes stopped the payment.",
        },
    ),
    *block(
        "stripe",
        "merchant_rule",
        "never",
        CODES,
        {
            "duplicate_transaction": "The same amount was charged to this card a moment ago: look for that one.",
            "invalid_amount": "The amount is not valid or above what is allowed.",
            "testmode_decline": "A test card was used.",
        },
    ),
    *block(
        "stripe",
        "merchant_rule",
        "never",
        ERRORS,
        {
            "amount_too_large": "The amount is above what is allowed.",
            "amount_too_small": "The amount is below what is allowed.",
            "invalid_charge_amount": "The amount is not valid.",
            "charge_exceeds_source_limit": "The amount is above what this payment method may be charged.",
            "charge_exceeds_transaction_limit": "The amount is above the limit for one payment.",
            "payment_method_currency_mismatch": "The payment method does not take this currency.",
            "three_d_secure_authentication_not_supported": "The card does not support the authentication we asked "
            "for.",
            "token_card_network_invalid": "The card's network is not one we accept.",
            "testmode_charges_only": "The account is not yet allowed to take live payments.",
        },
    ),
)
