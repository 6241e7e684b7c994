"""From a name, a type and samples to a class of personal data, or to a question."""

import random
import string

import pytest

from ingest.seed.discover import privacy
from ingest.seed.discover.privacy import class_of, is_of_persons, is_open
from ingest.seed.metadata import UNDECIDED

# What is a secret or personal data, by language: the class, the type and the names.
SENSITIVE = {
    "en": {
        "secret varchar(255)": "password passwd pwd user_password password_hash "
        "hashed_password password_salt salt pass_phrase passcode api_key api_secret "
        "client_secret access_token refresh_token auth_token reset_token session_token "
        "private_key secret_key encryption_key otp_secret mfa_secret security_answer "
        "recovery_codes cookie jwt csrf_token webhook_secret encrypted_password",
        "secret integer": "pin pin_code cvv cvc otp",
        "secret binary": "password_digest hash nonce",
        "id varchar(64)": "ssn social_security_number passport_no passport_number iban "
        "bic swift_code bank_account account_number credit_card card_number cc_number "
        "national_id tax_id drivers_license license_plate ip ip_address last_login_ip "
        "remote_addr mac_address device_id imei user_agent fingerprint",
        "id bigint": "ssn card_number national_id bank_account_no ip_address",
        "address double": "latitude longitude lat lng gps_lat geo_lon",
        "address geometry": "location position geo_point home_coordinates",
        "address varchar(90)": "address street zip_code postal_code zip_plus_address "
        "home_address gps_coordinates geohash",
        "email varchar(90)": "email e_mail email_address mail contact_email",
        "phone varchar(90)": "phone mobile phone_number cell_phone fax telephone",
        "birth_date date": "birth_date date_of_birth dob birthday",
        "name varchar(90)": "first_name last_name surname full_name username nickname",
        "free_text text": "notes comments remark message feedback",
    },
    "de": {
        "secret varchar(255)": "passwort kennwort benutzer_passwort passwort_hash "
        "geheimnis geheimer_schluessel schlüssel api_schlüssel zugangsdaten "
        "sicherheitsfrage sicherheitsantwort sitzungstoken zugriffstoken salz "
        "verschlüsseltes_feld wiederherstellungscode",
        "secret integer": "geheimzahl pin",
        "id varchar(64)": "sozialversicherungsnummer personalausweis ausweisnummer "
        "reisepassnummer steuernummer steuer_id kontonummer bankleitzahl "
        "kreditkartennummer kreditkarte kartennummer führerscheinnummer "
        "kfz_kennzeichen ip_adresse gerätekennung geraete_id mac_adresse "
        "versichertennummer krankenversicherungsnummer fingerabdruck",
        "address varchar(90)": "adresse anschrift straße strasse hausnummer plz "
        "postleitzahl wohnort standort",
        "address double": "breitengrad längengrad laengengrad",
        "phone varchar(90)": "telefon telefonnummer handy mobilnummer rufnummer",
        "birth_date date": "geburtsdatum geburtstag geb_datum",
        "name varchar(90)": "vorname nachname familienname benutzername",
        "free_text text": "bemerkung anmerkungen notizen kommentar nachricht",
    },
    "fr": {
        "secret varchar(255)": "mot_de_passe motdepasse mdp mot_de_passe_hash "
        "clé_api cle_secrete clé_privée clef_secrete jeton jeton_acces "
        "reponse_secrete code_secret identifiants_connexion code_de_verification "
        "clé_de_chiffrement",
        "id varchar(64)": "numero_securite_sociale numéro_de_sécurité_sociale nir "
        "passeport numero_passeport carte_identite carte_d_identite numero_de_compte "
        "compte_bancaire rib carte_bancaire numero_de_carte carte_de_credit "
        "permis_de_conduire immatriculation adresse_ip adresse_mac identifiant_fiscal "
        "appareil_id empreinte_digitale",
        "address varchar(90)": "adresse_postale rue code_postal domicile "
        "coordonnees_gps",
        "email varchar(90)": "courriel adresse_electronique adresse_email",
        "phone varchar(90)": "telephone téléphone numero_de_telephone portable",
        "birth_date date": "date_de_naissance date_naissance",
        "name varchar(90)": "prenom prénom nom_de_famille nom_utilisateur nom_complet",
        "free_text text": "commentaire remarques",
    },
    "es": {
        "secret varchar(255)": "contraseña contrasena contraseña_hash clave_secreta "
        "clave_api clave_privada clave_de_acceso secreto token_acceso codigo_seguridad "
        "código_de_verificación respuesta_secreta credenciales cookie_sesion",
        "id varchar(64)": "dni nie nif pasaporte numero_pasaporte "
        "numero_seguridad_social número_de_seguridad_social cuenta_bancaria "
        "numero_de_cuenta tarjeta_credito tarjeta_de_crédito numero_tarjeta "
        "licencia_de_conducir documento_identidad direccion_ip dirección_mac "
        "dispositivo_id huella_dactilar",
        "address varchar(90)": "direccion dirección calle codigo_postal domicilio "
        "ubicacion coordenadas",
        "address double": "latitud longitud",
        "email varchar(90)": "correo correo_electronico",
        "phone varchar(90)": "telefono teléfono movil celular",
        "birth_date date": "fecha_de_nacimiento fecha_nacimiento",
        "name varchar(90)": "apellido apellidos primer_apellido nombre_completo "
        "nombre_de_usuario",
        "free_text text": "comentario observaciones mensaje",
    },
    "it": {
        "secret varchar(255)": "parola_d_ordine parola_ordine segreto chiave_segreta "
        "chiave_api chiave_privata codice_di_sicurezza codice_segreto gettone "
        "risposta_segreta credenziali password_utente codice_di_accesso",
        "id varchar(64)": "codice_fiscale passaporto numero_passaporto "
        "carta_d_identita carta_di_identità conto_corrente numero_conto "
        "carta_di_credito numero_carta patente_guida targa indirizzo_ip "
        "indirizzo_mac dispositivo partita_iva tessera_sanitaria impronta_digitale",
        "address varchar(90)": "indirizzo codice_postale residenza posizione",
        "address double": "latitudine longitudine",
        "email varchar(90)": "posta_elettronica",
        "phone varchar(90)": "telefono cellulare numero_di_telefono",
        "birth_date date": "data_di_nascita",
        "name varchar(90)": "cognome nome_utente nome_completo",
        "free_text text": "commento osservazioni messaggio",
    },
}
CASES = [
    (language, name, *label.split())
    for language, labels in SENSITIVE.items()
    for label, names in labels.items()
    for name in names.split()
]


def _styles(name: str) -> list[str]:
    """The ways in which people write a name."""
    camel = "".join(word.capitalize() for word in name.split("_"))
    return [name, name.upper(), name.replace("_", " "), name.replace("_", "-"), camel]


@pytest.mark.parametrize("language", SENSITIVE)
def test_secrets_and_personal_data_have_a_class_in_any_language_and_style(
    language: str,
) -> None:
    assert len(CASES) >= 300
    wrong = [
        (style, kind, found, label)
        for spoken, name, label, kind in CASES
        if spoken == language
        for style in _styles(name)
        if (found := class_of("t_data", style, kind)) != label
        # Where nothing is seen by anyone, it matters little why.
        and not {found, label} <= {"secret", "id", "address"}
    ]
    assert wrong == []


def test_no_secret_is_anything_less() -> None:
    seen = [
        (style, found)
        for _, name, label, kind in CASES
        if label == "secret"
        for style in _styles(name)
        if (found := class_of("t_data", style, kind)) != "secret"
    ]
    assert seen == []


HARMLESS = {
    "integer": "id customer_id address_id order_no quantity token_count hash_rate "
    "email_count password_attempts position rank year device_id version rating",
    "bigint": "id session_count bytes total_tokens phone_id",
    "decimal(9,2)": "price amount total tax discount_rate balance",
    "boolean": "is_active has_password email_verified is_secret token_valid",
    "timestamp": "created_at password_changed_at token_expires_at last_login "
    "email_sent_at",
    "date": "order_date valid_from",
    "varchar(40)": "status title colour sku currency language product_code category "
    "description password_algorithm token_type card_type email_status shipping_method "
    "size unit ean isbn brand barcode genre label hashtag coordinator_role slug "
    "company state carrier",
}


def test_what_is_harmless_has_none() -> None:
    found = {
        (name, kind): label
        for kind, names in HARMLESS.items()
        for name in names.split()
        if (label := class_of("product", name, kind))
    }
    assert found == {}


# Tables of public samples: people's, and others'.
SAMPLES = {
    ("staff", "password", "varchar(40)"): "secret",
    ("staff", "username", "varchar(16)"): "name",
    ("staff_list", "zip code", "varchar(10)"): "address",
    ("address", "location", "geometry"): "address",
    ("address", "address2", "varchar(50)"): "address",
    ("address", "district", "varchar(20)"): "",
    ("actor", "last_name", "varchar(45)"): "name",
    ("film", "description", "text"): "",
    ("film", "title", "varchar(128)"): "",
    ("language", "name", "varchar(20)"): "",
    ("employees", "birth_date", "date"): "birth_date",
    ("employees", "gender", "enum"): UNDECIDED,
    ("salaries", "salary", "integer"): UNDECIDED,
    ("departments", "dept_name", "varchar(40)"): "",
    ("Customer", "SupportRepId", "integer"): "",
    ("Customer", "PostalCode", "varchar(10)"): "address",
    ("Employee", "ReportsTo", "integer"): "",
    ("Artist", "Name", "varchar(120)"): "",
    ("users", "clave", "varchar(64)"): "secret",
    ("productos", "clave", "varchar(64)"): UNDECIDED,
    ("personnes", "nom", "varchar(64)"): "name",
    ("t", "住所", "varchar(64)"): UNDECIDED,
    ("film_list", "actors", "text"): UNDECIDED,
    ("orders", "approved_by", "varchar(40)"): UNDECIDED,
    ("orders", "customer_id", "varchar(40)"): "",
    ("authtoken_token", "key", "varchar(40)"): "secret",
    ("settings", "key", "varchar(40)"): "",
    ("wp_users", "user_pass", "varchar(255)"): "secret",
    ("wp_users", "user_nicename", "varchar(50)"): "name",
    ("django_session", "session_data", "text"): "secret",
    ("sessions", "user_agent", "text"): "id",
    ("t", "数", "integer"): "",
}


@pytest.mark.parametrize("place", SAMPLES, ids=".".join)
def test_public_samples_are_judged_by_name(place: tuple[str, str, str]) -> None:
    assert class_of(*place) == SAMPLES[place]


def _random(alphabet: str, length: int, count: int = 8) -> list[str]:
    chance = random.Random(length)
    return ["".join(chance.choices(alphabet, k=length)) for _ in range(count)]


TEXTS = {
    "a hex digest": ("secret", _random("0123456789abcdef", 40)),
    "another": ("secret", _random("0123456789ABCDEF", 64)),
    "bcrypt": ("secret", [f"$2y$10${t}" for t in _random(string.ascii_letters, 53)]),
    "django": ("secret", [f"pbkdf2_sha256$260000$x{n}$abc=" for n in range(9)]),
    "jwt": ("secret", [f"eyJhbGciOi.eyJ{t}.{t}" for t in _random("abcDEF123", 20)]),
    "random": (
        "secret",
        _random(string.ascii_letters + string.digits * 3, 40),
    ),
    "stripe": ("secret", [f"sk_live_{t}" for t in _random(string.ascii_letters, 24)]),
    "card": (
        "id",
        "4111111111111111,5500 0000 0000 0004,340000000000009,30000000000004,"
        "6011-0000-0000-0004,4012888888881881".split(","),
    ),
    "iban": ("id", ["DE89370400440532013000", "GB82 WEST 1234 5698 7654 32"] * 3),
    "ip": ("id", ["10.0.0.1", "192.168.1.77"] * 3),
    "ipv6": ("id", ["fe80::1", "2001:db8:0:0:0:0:0:1"] * 3),
    "mac": ("id", ["00:1A:2B:3C:4D:5E", "00-1a-2b-3c-4d-5e"] * 3),
    "point": ("address", ["48.13743, 11.57549", "-33.8688,151.2093"] * 3),
    "mail": ("email", [f"ada{n}@example.com" for n in range(9)]),
    "phone": ("phone", [f"+49 89 1234{n:03d}" for n in range(9)]),
    "uuid": ("", ["123e4567-e89b-12d3-a456-426655440000"] * 9),
    "time": ("", ["12:30:00", "09:15:30"] * 4),
    "day": ("", ["2026-01-01", "2026-12-31"] * 4),
    "words": ("", ["engineer", "head of sales", "internationalisation"] * 4),
    "paths": ("", ["images/2026/Product-Photo-0001-large.jpg"] * 8),
    "numbers": ("", ["4711", "4712"] * 4),
    "too few": ("", ["10.0.0.1"] * 4),
}


@pytest.mark.parametrize("text", TEXTS)
def test_texts_show_what_a_name_does_not(text: str) -> None:
    label, samples = TEXTS[text]
    assert class_of("t", "x_value", "varchar(255)", samples) == label


def test_a_column_is_open_if_it_may_hold_anything() -> None:
    spoken = ["she called twice and was not amused", "ok", "no", "-", "x"]
    for kind in ("text", "varchar(255)", "binary", "geometry", "json"):
        assert is_open(kind)
    for kind in ("integer", "date", "boolean", "decimal(9,2)", "varchar(20)"):
        assert not is_open(kind)
    assert is_open("varchar(40)", spoken)
    assert not is_open("varchar(255)", ["new", "done"] * 4)
    assert not is_open("text", ["new", "done"] * 4)


def test_a_table_is_of_persons_by_its_name_or_by_what_it_holds() -> None:
    for name in ("customers", "AppUsers", "tbl_mitarbeiter", "usuarios", "clients"):
        assert is_of_persons(name)
    for name in ("film", "factor", "authority", "products", "order_items"):
        assert not is_of_persons(name)
    assert is_of_persons("film", ["", "email"])
    assert not is_of_persons("film", ["", ""])
    assert privacy.UNDECIDED == UNDECIDED
